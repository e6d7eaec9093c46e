#include <assay/plot/figure.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace assay::plot {
namespace {

constexpr Index kMostColumns = 1400;
constexpr Index kMostRows = 500;

// Text inside gnuplot's double quotes, with its markup characters switched off by noenhanced.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
    return out + "\"";
}

// Cells of a picture hold the largest value of what they cover, so that sparse events stay visible.
Matrix reduced(const Matrix& values) {
    const Index rows = std::min(values.rows(), kMostRows),
                columns = std::min(values.cols(), kMostColumns);
    if (rows == values.rows() && columns == values.cols()) return values;
    Matrix small(rows, columns);
    for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < columns; ++j) {
            const Index r0 = i * values.rows() / rows,
                        r1 = std::max(r0 + 1, (i + 1) * values.rows() / rows);
            const Index c0 = j * values.cols() / columns,
                        c1 = std::max(c0 + 1, (j + 1) * values.cols() / columns);
            const auto cell = values.block(r0, c0, r1 - r0, c1 - c0);
            const double high = cell.maxCoeff(), low = cell.minCoeff();
            small(i, j) = std::abs(low) > std::abs(high) ? low : high;
        }
    return small;
}

std::string terminal_line(const Figure& figure, Format format) {
    const auto pixels = [](double inches) {
        return std::to_string(static_cast<int>(std::lround(inches * 100)));
    };
    const std::string inches = shortest(figure.width) + "," + shortest(figure.height);
    switch (format) {
    case Format::svg:
        return "set terminal svg noenhanced size " + pixels(figure.width) + "," +
               pixels(figure.height) + " font 'Helvetica,11' background '#ffffff'\n";
    case Format::png:
        return "set terminal pngcairo noenhanced size " + pixels(2 * figure.width) + "," +
               pixels(2 * figure.height) + " fontscale 1.6 font 'Helvetica,11'\n";
    case Format::pdf:
        return "set terminal pdfcairo noenhanced size " + inches + " font 'Helvetica,8'\n";
    case Format::text:
        return "set terminal dumb noenhanced size 79,24\n";
    default:
        return "# set terminal pdfcairo size " + inches + "; set output 'figure.pdf'\n";
    }
}

const char* style_text(Style style) {
    switch (style) {
    case Style::points:
        return "points";
    case Style::line_points:
        return "linespoints";
    case Style::steps:
        return "histeps";
    case Style::filled:
        return "filledcurves y1=0 fs solid 0.85 noborder";
    case Style::bars:
        return "boxes fs solid 0.85 noborder";
    default:
        return "lines";
    }
}

// gnuplot's number of a mark.
int point_type(Mark mark) {
    static constexpr std::array<int, 6> kTypes{7, 5, 9, 13, 2, 6};
    return kTypes.at(static_cast<std::size_t>(mark));
}

const char* align_text(Align align) {
    return align == Align::left ? "left" : align == Align::right ? "right" : "center";
}

bool takes_size(Style style) {
    return style == Style::points || style == Style::line_points;
}

// Writes one panel; data blocks are numbered on from `block`.
class PanelWriter {
  public:
    PanelWriter(std::string& script, int& block, Format format, double figure_width)
        : script_(script), block_(block), format_(format), figure_width_(figure_width) {}

    void write(const Panel& p) {
        std::vector<std::string> plots;
        for (const auto& map : p.maps) plots.push_back(write_map(map));
        for (const auto& strip : p.strips) write_strip(strip);
        for (const auto& series : p.series) write_series(series, plots);
        settings(plots.empty() ? with_ranges(p) : p);
        if (plots.empty()) plots.emplace_back("1/0 notitle");
        script_ += "plot " + join(plots, ", \\\n     ") + "\n";
        script_ += "unset object\nunset label\n";
    }

  private:
    // gnuplot cannot choose the ranges of a panel without data.
    static Panel with_ranges(Panel p) {
        if (!p.x_range) p.x_range = Range{0, 1};
        if (!p.y_range) p.y_range = Range{0, 1};
        p.x_log = p.x_log && p.x_range->low > 0;
        p.y_log = p.y_log && p.y_range->low > 0;
        return p;
    }

    void settings(const Panel& p) {
        const auto number = [](double v) { return significant(v, 6); };
        if (format_ != Format::text) {
            script_ += "set lmargin at screen " + number(p.left) + "\nset rmargin at screen " +
                       number(p.left + p.width) + "\nset bmargin at screen " + number(p.bottom) +
                       "\nset tmargin at screen " + number(p.bottom + p.height) + "\n";
        }
        script_ += "set title " + quoted(p.title) + "\nset xlabel " + quoted(p.x_label) +
                   "\nset ylabel " + quoted(p.y_label) + "\n";
        script_ += p.x_log ? "set logscale x\n" : "unset logscale x\n";
        script_ += p.y_log ? "set logscale y\n" : "unset logscale y\n";
        script_ += p.x_range ? "set xrange [" + number(p.x_range->low) + ":" +
                                   number(p.x_range->high) + "]\n"
                             : std::string("set autoscale x\n");
        script_ += p.y_range ? "set yrange [" + number(p.y_range->low) + ":" +
                                   number(p.y_range->high) + "]\n"
                             : std::string("set autoscale y\n");
        script_ += p.x_tics ? "set xtics nomirror out " + tic_step(p) + "\n" : "unset xtics\n";
        script_ += p.y_tics ? "set ytics nomirror out\n" : "unset ytics\n";
        script_ += p.frame ? "set border 3 lw 0.7\n" : "unset border\n";
        script_ += !p.legend          ? "unset key\n"
                   : p.legend_outside ? "set key outside right top\n"
                                      : "set key inside top right\n";
        const bool bar = std::any_of(p.maps.begin(), p.maps.end(),
                                     [](const HeatMap& m) { return m.colour_bar; });
        script_ += bar ? "set colorbox\n" : "unset colorbox\n";
        for (const auto& label : p.labels)
            script_ += "set label " + quoted(label.text) + " at " + number(label.x) + "," +
                       number(label.y) + " " + align_text(label.align) + "\n";
    }

    // Steps of 1, 2 or 5 that leave half an inch to each number; gnuplot's own choice where the
    // range is not stated.
    [[nodiscard]] std::string tic_step(const Panel& p) const {
        constexpr double kInchesPerTic = 0.55;
        if (!p.x_range || p.x_log || format_ == Format::text) return "autofreq";
        const double most = std::max(1.0, std::floor(p.width * figure_width_ / kInchesPerTic));
        const double least_step = (p.x_range->high - p.x_range->low) / most;
        if (!(least_step > 0)) return "autofreq";
        const double decade = std::pow(10.0, std::floor(std::log10(least_step)));
        for (const double factor : {1.0, 2.0, 5.0, 10.0})
            if (factor * decade >= least_step) return significant(factor * decade, 3);
        return "autofreq";
    }

    std::string write_map(const HeatMap& map) {
        const Matrix values = reduced(map.values);
        const std::string name = "$map" + std::to_string(block_++);
        script_ += name + " << EOD\n";
        for (Index i = 0; i < values.rows(); ++i) {
            for (Index j = 0; j < values.cols(); ++j)
                script_ += (j > 0 ? " " : "") + significant(values(i, j), 5);
            script_ += "\n";
        }
        script_ += "EOD\n";
        const Matrix finite = values.array().isFinite().select(values, 0.0);
        double low = map.low.value_or(finite.minCoeff()),
               high = map.high.value_or(finite.maxCoeff());
        if (map.diverging) {
            high = std::max(std::abs(low), std::abs(high));
            low = -high;
            script_ += "set palette defined (0 '#2166ac', 1 '#f7f7f7', 2 '#b2182b')\n";
        } else {
            low = map.low.value_or(std::min(low, 0.0));
            script_ += "set palette defined (0 '#ffffff', 0.15 '#d9e4ee', 0.4 '#7fa8c9', 0.7 "
                       "'#2f6690', 1 '#0b1f33')\n";
        }
        if (!(high > low)) high = low + 1;
        script_ += "set cbrange [" + significant(low, 6) + ":" + significant(high, 6) + "]\n";
        const double dx = (map.x1 - map.x0) / static_cast<double>(values.cols()),
                     dy = (map.y1 - map.y0) / static_cast<double>(values.rows());
        return name + " matrix using (" + significant(map.x0, 8) + "+($1+0.5)*" +
               significant(dx, 8) + "):(" + significant(map.y0, 8) + "+($2+0.5)*" +
               significant(dy, 8) + "):3 with image notitle";
    }

    void write_strip(const Strip& strip) {
        // Neighbours of one class as one rectangle.
        for (std::size_t begin = 0; begin < strip.classes.size();) {
            std::size_t end = begin;
            while (end < strip.classes.size() && strip.classes[end] == strip.classes[begin]) ++end;
            if (strip.classes[begin] >= 0)
                script_ += "set object rectangle from " + significant(strip.x0, 6) + "," +
                           std::to_string(begin) + " to " + significant(strip.x1, 6) + "," +
                           std::to_string(end) + " front fc rgb '" +
                           palette_colour(strip.classes[begin]) + "' fs solid noborder\n";
            begin = end;
        }
    }

    void write_series(const Series& s, std::vector<std::string>& plots) {
        const std::string name = "$series" + std::to_string(block_++);
        script_ += name + " << EOD\n";
        for (std::size_t i = 0; i < s.x.size(); ++i) {
            script_ += significant(s.x[i], 8) + " " + significant(s.y[i], 8);
            if (!s.error.empty())
                script_ += " " + significant(s.y[i] - s.error[i], 8) + " " +
                           significant(s.y[i] + s.error[i], 8);
            script_ += "\n";
        }
        script_ += "EOD\n";
        if (!s.error.empty())
            plots.push_back(
                name +
                " using 1:3:4 with filledcurves fc rgb '#b0b0b0' fs transparent solid 0.4 notitle");
        plots.push_back(name + " using 1:2 with " + style_text(s.style) +
                        (takes_size(s.style)
                             ? concat(" pt ", point_type(s.mark), " ps ", significant(s.size, 3))
                             : "") +
                        (format_ == Format::text ? "" : " lw " + significant(s.width, 3)) +
                        " lc rgb '" + palette_colour(s.colour) + "' " +
                        (s.label.empty() ? std::string("notitle") : "title " + quoted(s.label)));
    }

    std::string& script_;
    int& block_;
    Format format_;
    double figure_width_;
};

std::string script_of(const Figure& figure, Format format) {
    std::string script = terminal_line(figure, format);
    script += "set encoding utf8\nset style line 1 lc rgb 'black'\n";
    int block = 0;
    if (format == Format::text) {
        // Characters cannot carry a page of panels: the first one with lines, else the first one.
        const auto lines = std::find_if(figure.panels.begin(), figure.panels.end(),
                                        [](const Panel& p) { return !p.series.empty(); });
        if (figure.panels.empty()) return script;
        PanelWriter(script, block, format, figure.width)
            .write(lines != figure.panels.end() ? *lines : figure.panels.front());
        return script;
    }
    script += "set multiplot title " + quoted(figure.title) + "\n";
    for (const auto& panel : figure.panels)
        PanelWriter(script, block, format, figure.width).write(panel);
    return script + "unset multiplot\n";
}

struct Outcome {
    int status = 0;
    std::string output, errors;
};

std::string drained(int descriptor) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t got = read(descriptor, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

// A file in memory, without a name.
struct MemoryFile {
    int descriptor = memfd_create("figure", MFD_CLOEXEC);
    MemoryFile() {
        if (descriptor < 0) throw Error("no file in memory can be made for gnuplot");
    }
    ~MemoryFile() { close(descriptor); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
};

// Runs gnuplot on arguments; no shell takes part. Errors go to a file, so that neither pipe can
// fill and block.
Outcome run_gnuplot(const std::string& argument, int script = -1) {
    std::array<int, 2> out{};
    if (pipe2(out.data(), O_CLOEXEC) != 0) throw Error("no pipe to gnuplot can be made");
    const MemoryFile errors;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (script >= 0)
        posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors.descriptor, STDERR_FILENO);
    std::string program = "gnuplot", word = argument;
    std::array<char*, 3> pointers{program.data(), word.data(), nullptr};
    pid_t child = 0;
    const int failed = posix_spawnp(&child, "gnuplot", &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    Outcome outcome;
    if (failed != 0) {
        close(out[0]);
        outcome.status = -1;
        return outcome;
    }
    outcome.output = drained(out[0]);
    close(out[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    lseek(errors.descriptor, 0, SEEK_SET);
    outcome.errors = drained(errors.descriptor);
    return outcome;
}

} // namespace

Panel panel_at(double left, double width, const std::string& title, const std::string& x,
               const std::string& y) {
    Panel panel;
    panel.left = left;
    panel.width = width;
    panel.bottom = 0.16;
    panel.height = 0.72;
    panel.title = title;
    panel.x_label = x;
    panel.y_label = y;
    return panel;
}

std::string palette_colour(std::int64_t index) {
    static constexpr std::array<const char*, 8> kColours{
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#404040"};
    if (index < 0) return index == -1 ? "#000000" : "#c8c8c8";
    return kColours[static_cast<std::size_t>(index) % kColours.size()];
}

Format format_of(const std::string& target) {
    if (target == "-" || target.empty() || ends_with(target, ".txt")) return Format::text;
    if (ends_with(target, ".svg")) return Format::svg;
    if (ends_with(target, ".png")) return Format::png;
    if (ends_with(target, ".pdf")) return Format::pdf;
    if (ends_with(target, ".gp")) return Format::script;
    throw UsageError(
        target +
        ": the ending tells the kind of figure; .svg, .png, .pdf, .txt or .gp is expected");
}

void check_renderer(Format format) {
    if (format == Format::script) return;
    if (run_gnuplot("--version").status != 0)
        throw Error("gnuplot is not installed; figures need it (Debian: gnuplot-nox), a .gp output "
                    "does not");
}

std::string render(const Figure& figure, Format format) {
    std::string script = script_of(figure, format);
    if (format == Format::script) return script;
    const MemoryFile file;
    for (std::size_t at = 0; at < script.size();) {
        const ssize_t written = write(file.descriptor, script.data() + at, script.size() - at);
        if (written < 0) throw Error("the script for gnuplot cannot be kept in memory");
        at += static_cast<std::size_t>(written);
    }
    lseek(file.descriptor, 0, SEEK_SET);
    const Outcome outcome = run_gnuplot("-", file.descriptor);
    if (outcome.status == -1) check_renderer(format);
    if (outcome.status != 0 || outcome.output.empty())
        throw Error("gnuplot failed: " + printable(trim(outcome.errors), 200));
    return outcome.output;
}

std::string table_csv(const Figure& figure) {
    std::string csv = "panel,series,x,y,error\n";
    for (std::size_t p = 0; p < figure.panels.size(); ++p) {
        const Panel& panel = figure.panels[p];
        for (std::size_t s = 0; s < panel.series.size(); ++s) {
            const Series& series = panel.series[s];
            const std::string name = concat(
                p, ",", series.label.empty() ? std::to_string(s) : "\"" + series.label + "\"", ",");
            for (std::size_t i = 0; i < series.x.size(); ++i)
                csv += name + shortest(series.x[i]) + "," + shortest(series.y[i]) + "," +
                       (series.error.empty() ? "" : shortest(series.error[i])) + "\n";
        }
        for (std::size_t m = 0; m < panel.maps.size(); ++m) {
            const HeatMap& map = panel.maps[m];
            for (Index i = 0; i < map.values.rows(); ++i)
                for (Index j = 0; j < map.values.cols(); ++j)
                    csv += concat(p, ",map", m, ".", i, ",", j, ",", shortest(map.values(i, j)),
                                  ",\n");
        }
    }
    return csv;
}

} // namespace assay::plot
