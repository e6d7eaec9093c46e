// Figures described as data and drawn by gnuplot: lines, bands, points, heat maps and text in
// panels, to SVG, PNG, PDF, the text terminal, or the script itself for editing.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <optional>
#include <string>
#include <vector>

namespace assay::plot {

enum class Style { line, points, line_points, steps, filled, bars };
enum class Mark { circle, square, triangle, diamond, cross, ring };

// One series; `error` (empty or as long) draws a grey band or bars.
struct Series {
    std::vector<double> x, y, error;
    std::string label;
    int colour = 0; // index into the palette of components
    Style style = Style::line;
    double width = 1.2;
    double size = 0.5; // of points
    Mark mark = Mark::circle;
};

// Rows run upwards from y0 to y1; large ones are reduced to what a page can show (maximum over
// cells).
struct HeatMap {
    Matrix values;
    double x0 = 0, x1 = 1, y0 = 0, y1 = 1;
    bool diverging = false; // around 0
    std::optional<double> low, high;
    bool colour_bar = false;
};

// A row of coloured cells, one a value: which component a unit belongs to. -1 is left white.
struct Strip {
    std::vector<std::int64_t> classes; // from bottom to top
    double x0 = 0, x1 = 1;
};

enum class Align { left, centre, right };

struct Label {
    double x = 0, y = 0;
    std::string text;
    Align align = Align::left; // which side of the text stands there
};

struct Range {
    double low = 0, high = 1;
};

struct Panel {
    // Share of the figure, from its lower left corner; plotting area inside margins.
    double left = 0.1, bottom = 0.12, width = 0.85, height = 0.78;
    std::string title, x_label, y_label;
    std::vector<HeatMap> maps;
    std::vector<Strip> strips;
    std::vector<Series> series;
    std::vector<Label> labels;
    std::optional<Range> x_range, y_range;
    bool x_log = false, y_log = false;
    bool x_tics = true, y_tics = true;
    bool frame = true;
    bool legend = false;
    bool legend_outside = false; // to the right of the panel
};

struct Figure {
    double width = 7, height = 4.5; // inches
    std::string title;
    std::vector<Panel> panels;
};

enum class Format { svg, png, pdf, text, script };

// By the ending of the name; text for "-". Throws UsageError for an unknown ending.
[[nodiscard]] ASSAY_API Format format_of(const std::string& target);
// Throws Error "gnuplot is not installed ..." where a format needs it and it is missing.
ASSAY_API void check_renderer(Format format);
// The picture's bytes. Throws Error with gnuplot's own words when it fails.
[[nodiscard]] ASSAY_API std::string render(const Figure& figure, Format format);
// What the figure draws, as rows of panel,series,x,y[,error].
[[nodiscard]] ASSAY_API std::string table_csv(const Figure& figure);

// A panel of usual height, with room for a title above and labels below.
[[nodiscard]] ASSAY_API Panel panel_at(double left, double width, const std::string& title,
                                       const std::string& x, const std::string& y);

// Colours of components, apart for colour-blind readers too (Okabe and Ito). -1 is black, -2 a pale
// grey for what stands behind.
[[nodiscard]] ASSAY_API std::string palette_colour(std::int64_t index);

} // namespace assay::plot
