#include <assay/tensor_amp/theory_io.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/recording.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/attribute_text.hpp>
#include <assay/tensor_amp/grid_io.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace assay::tensor_amp {
namespace {

constexpr double kMostValues = 268435456; // 2 GiB of doubles

std::vector<double> list_of(const VectorXd& values) {
    return {values.data(), values.data() + values.size()};
}

void write_model(hdf5::Group& group, const ModelDescription& model) {
    group.set_attribute("dimensions", list_of(model.dimensions));
    group.set_attribute("order", static_cast<std::int64_t>(model.dimensions.size()));
    group.set_attribute("rank", static_cast<std::int64_t>(model.rank));
    group.set_attribute("priors", nlohmann::json(model.priors).dump());
}

// ---- state evolution

// The leading axes of a study's arrays.
Leading leading_axes(const EvolutionSettings& settings) {
    Leading leading;
    if (settings.noise_var.size() > 1)
        leading = leading.with("noise_var", settings.noise_var.size());
    if (settings.starts.size() > 1)
        leading = leading.with("start", static_cast<Index>(settings.starts.size()));
    return leading;
}

hdf5::Shape longer(hdf5::Shape shape, const hdf5::Shape& more) {
    shape.insert(shape.end(), more.begin(), more.end());
    return shape;
}

void write_trajectories(hdf5::Group& group, const EvolutionStudy& study, const std::string& name,
                        std::vector<Overlaps> StateEvolution::*part, const Leading& leading,
                        const std::string& axes, const std::string& what) {
    std::size_t longest = 0;
    for (const StateEvolution& one : study.runs) longest = std::max(longest, (one.*part).size());
    const Overlaps& first = (study.runs.front().*part).front();
    const Index rows = first[0].rows(), columns = first[0].cols();
    const auto modes = static_cast<Index>(first.size());
    const double total = static_cast<double>(study.runs.size() * longest) *
                         static_cast<double>(modes * rows * columns);
    if (total > kMostValues)
        throw Error(concat("trajectories of ", total,
                           " numbers; fewer noise_var, starts or iterations are expected"));
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(total));
    for (const StateEvolution& one : study.runs) {
        const std::vector<Overlaps>& sweeps = one.*part;
        for (std::size_t t = 0; t < longest; ++t)
            for (const MatrixXd& q : sweeps[std::min(t, sweeps.size() - 1)])
                for (Index i = 0; i < rows; ++i)
                    for (Index j = 0; j < columns; ++j) values.push_back(q(i, j));
    }
    group.write(name, values.data(),
                longer(leading.shape, {static_cast<Index>(longest), modes, rows, columns}),
                {joined_axes(leading.axes, axes), "", what});
}

void write_numbers(hdf5::Group& group, const EvolutionStudy& study, const Leading& leading,
                   const std::string& name, const hdf5::ArrayInfo& info,
                   const std::function<double(const StateEvolution&)>& part) {
    std::vector<double> values;
    for (const StateEvolution& one : study.runs) values.push_back(part(one));
    if (leading.shape.empty())
        group.write_scalar(name, values[0], {"", info.units, info.description});
    else
        group.write(name, values.data(), leading.shape,
                    {leading.axes, info.units, info.description});
}

void write_threshold_lists(hdf5::Group& group, const Thresholds& t) {
    group.write("delta_alg", t.algorithmic, {"fold", "", "below: easy"});
    group.write("delta_it", t.information, {"fold", "", "below: the informative solution is best"});
    group.write("delta_dyn", t.dynamic, {"fold", "", "below: an informative solution exists"});
    group.write("delta_bbp", t.bbp ? std::vector<double>{*t.bbp} : std::vector<double>{},
                {"onset", "", "continuous onset"});
}

// ---- phase diagrams

// One array of a phase study: a row of numbers for each point.
struct Column {
    std::string name;
    hdf5::ArrayInfo info; // of the trailing axes
    hdf5::Shape trailing; // empty for a number a point; {0} for lists, whose length is found
    std::vector<std::vector<double>> rows;
};

// Lists end in NaN up to the longest; over grids at least one place.
void pad_lists(Column& column, bool grid) {
    if (column.trailing != hdf5::Shape{0}) return;
    std::size_t longest = grid ? 1 : 0;
    for (const auto& row : column.rows) longest = std::max(longest, row.size());
    for (auto& row : column.rows) row.resize(longest, kNaN);
    column.trailing = {static_cast<Index>(longest)};
}

// Row-major, with columns of NaN up to `width`.
std::vector<double> padded(const MatrixXd& values, Index width) {
    std::vector<double> row;
    for (Index i = 0; i < values.rows(); ++i)
        for (Index j = 0; j < width; ++j) row.push_back(j < values.cols() ? values(i, j) : kNaN);
    return row;
}

class Columns {
  public:
    explicit Columns(const PhaseStudy& study) : study_(study) {
        for (Index p = 0; p < study.settings.points(); ++p)
            order_ = std::max(order_, study.settings.model_at(p).dimensions.size());
    }
    void add(const std::string& name, const hdf5::ArrayInfo& info, const hdf5::Shape& trailing,
             const std::function<std::vector<double>(const PhasePoint&)>& row) {
        Column column{name, info, trailing, {}};
        for (const auto& [p, point] : study_.points) column.rows.push_back(row(point));
        all_.push_back(std::move(column));
    }
    void add_thresholds() {
        const hdf5::Shape list{0};
        add("delta_alg", {"fold", "", "below: easy"}, list,
            [](const PhasePoint& p) { return p.thresholds.algorithmic; });
        add("delta_it", {"fold", "", "below: the informative solution is best"}, list,
            [](const PhasePoint& p) { return p.thresholds.information; });
        add("delta_dyn", {"fold", "", "below: an informative solution exists"}, list,
            [](const PhasePoint& p) { return p.thresholds.dynamic; });
        add("delta_bbp", {"onset", "", "continuous onset"}, list, [](const PhasePoint& p) {
            return p.thresholds.bbp ? std::vector<double>{*p.thresholds.bbp}
                                    : std::vector<double>{};
        });
        add("delta_unf", {"onset", "", "below: unfoldings know the factors; with a shape only"},
            list, [](const PhasePoint& p) {
                return p.unfolding ? std::vector<double>{*p.unfolding} : std::vector<double>{};
            });
    }
    void add_curve() {
        const Index n = study_.settings.products.size();
        add("curve/q", {"P,mode", "", "overlaps at the fixed point"}, {n, order_},
            [&](const PhasePoint& p) { return padded(p.overlaps, order_); });
        add("curve/delta", {"P", "", "noise at which P is a fixed point"}, {n},
            [](const PhasePoint& p) { return list_of(p.delta); });
        add("curve/phi", {"P", "", "free entropy per N"}, {n},
            [](const PhasePoint& p) { return list_of(p.free_entropy); });
    }
    void add_accuracy() {
        const Index n = study_.settings.noise_var.size();
        add("mse_map/mse_reached", {"noise_var,mode", "", "from the prior mean"}, {n, order_},
            [&](const PhasePoint& p) { return padded(p.accuracy.mse_reached, order_); });
        add("mse_map/mse_best", {"noise_var,mode", "", "at the largest free entropy"}, {n, order_},
            [&](const PhasePoint& p) { return padded(p.accuracy.mse_best, order_); });
        add("mse_map/phi", {"noise_var", "", "largest free entropy per N"}, {n},
            [](const PhasePoint& p) { return list_of(p.accuracy.free_entropy); });
        add("mse_map/regime", {"noise_var", "", "0 easy, 1 hard, 2 nothing better than the prior"},
            {n}, [](const PhasePoint& p) {
                std::vector<double> row;
                for (const Regime regime : p.accuracy.regime)
                    row.push_back(static_cast<double>(regime));
                return row;
            });
    }
    void add_specialisation() {
        add("delta_spec", {"onset", "", "below: components separate"}, {0},
            [](const PhasePoint& p) {
                return p.specialisation ? std::vector<double>{*p.specialisation}
                                        : std::vector<double>{};
            });
    }
    [[nodiscard]] std::vector<Column>& all() { return all_; }

  private:
    const PhaseStudy& study_;
    Index order_ = 0;
    std::vector<Column> all_;
};

void write_column(hdf5::Group& group, const Column& column, const Leading& leading) {
    std::vector<double> values;
    for (const auto& row : column.rows) values.insert(values.end(), row.begin(), row.end());
    hdf5::ArrayInfo info = column.info;
    info.axes = joined_axes(leading.axes, info.axes);
    const auto slash = column.name.find('/');
    hdf5::Group place =
        slash == std::string::npos ? group : group.create_group(column.name.substr(0, slash));
    const std::string name =
        slash == std::string::npos ? column.name : column.name.substr(slash + 1);
    place.write(name, values.data(), longer(leading.shape, column.trailing), info);
}

std::string quantity_word(PhaseQuantity quantity) {
    switch (quantity) {
    case PhaseQuantity::curve:
        return "curve";
    case PhaseQuantity::specialisation:
        return "specialisation";
    case PhaseQuantity::mse_map:
        return "mse-map";
    case PhaseQuantity::thresholds:
        break;
    }
    return "thresholds";
}

// All datasets of a part, those in groups too.
std::vector<std::string> arrays_of(const hdf5::Group& group) {
    std::vector<std::string> names;
    for (const std::string& name : group.names()) {
        if (group.has_dataset(name)) names.push_back(name);
        if (!group.has_group(name)) continue;
        for (const std::string& inner : group.group(name).names())
            if (group.has_dataset(name + "/" + inner)) names.push_back(name + "/" + inner);
    }
    return names;
}

bool by_point(const hdf5::Dataset& dataset) {
    return starts_with(dataset.axes() + ",", "point,");
}

// The same in the order in which write_phase makes them, so that merged bytes are those of an
// undivided run: what all points share, then their numbers outside of groups, then in groups.
std::vector<std::string> arrays_as_written(const hdf5::Group& group) {
    std::vector<std::string> names = arrays_of(group);
    const auto turn = [&](const std::string& name) {
        if (!by_point(group.dataset(name))) return 0;
        return name.find('/') == std::string::npos ? 1 : 2;
    };
    std::stable_sort(names.begin(), names.end(),
                     [&](const std::string& a, const std::string& b) { return turn(a) < turn(b); });
    return names;
}

// Whether a part has the settings and grid of the first.
void check_same_settings(const hdf5::Group& part, const hdf5::Group& first) {
    for (const std::string& name : first.attribute_names())
        if (name != "shard" &&
            hdf5::attribute_text(part, name) != hdf5::attribute_text(first, name))
            throw Error(concat(
                part.where(), ": ", name, " ", printable(hdf5::attribute_text(part, name), 40),
                "; the first shard has ", printable(hdf5::attribute_text(first, name), 40)));
    for (const std::string& name : arrays_of(first)) {
        if (!part.has_dataset(name)) throw Error(part.where() + ": " + name + " is missing");
        const hdf5::Dataset mine = part.dataset(name), theirs = first.dataset(name);
        if (!by_point(theirs) &&
            mine.expect_numeric().read<double>() != theirs.expect_numeric().read<double>())
            throw Error(part.where() + ": other values of " + name + " than the first shard");
    }
}

Index whole_attribute(const hdf5::Group& group, const std::string& name) {
    const auto value = group.number_attribute(name);
    if (!value || !(*value >= 1 && *value <= 1e9) || *value != std::floor(*value))
        throw Error(group.where() + ": attribute '" + name + "' is missing or no count");
    return static_cast<Index>(*value);
}

void check_all_parts(const std::vector<hdf5::Group>& parts) {
    if (parts.empty()) throw Error("no shards given");
    const Index count = whole_attribute(parts.front(), "shards");
    std::set<Index> seen;
    for (const hdf5::Group& part : parts) {
        check_same_settings(part, parts.front());
        const Index index = whole_attribute(part, "shard");
        if (!seen.insert(index).second) throw Error(concat("shard ", index, " is given twice"));
    }
    for (Index index = 1; index <= count; ++index)
        if (seen.count(index) == 0)
            throw Error(concat("shard ", index, " of ", count, " is missing"));
}

// The rows of one array from all parts, in the order of the points.
Column merged_column(const std::vector<hdf5::Group>& parts, const std::string& name, Index points) {
    const hdf5::Dataset first = parts.front().dataset(name);
    if (first.rank() < 1) throw Error(first.where() + ": a number; one a point is expected");
    Column column{name,
                  {first.axes() == "point" ? "" : first.axes().substr(6), "",
                   first.text_attribute("description").value_or("")},
                  hdf5::Shape(first.shape().begin() + 1, first.shape().end()),
                  std::vector<std::vector<double>>(at(points))};
    std::vector<bool> filled(at(points), false);
    const bool list = column.info.axes == "fold" || column.info.axes == "onset";
    for (const hdf5::Group& part : parts) {
        const hdf5::Dataset dataset = part.dataset(name).expect_numeric().expect_rank(first.rank());
        const auto numbers =
            part.dataset("point").expect_numeric().expect_rank(1).read<std::int64_t>();
        const std::vector<double> values = dataset.read<double>();
        hdf5::Shape trailing(dataset.shape().begin() + 1, dataset.shape().end());
        const bool fits = dataset.rank() == first.rank() &&
                          dataset.shape()[0] == static_cast<Index>(numbers.size()) &&
                          (list || trailing == column.trailing);
        if (!fits) throw Error(dataset.where() + ": does not fit the first shard's");
        const std::size_t width = numbers.empty() ? 0 : values.size() / numbers.size();
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (numbers[i] < 0 || numbers[i] >= points || filled[at(numbers[i])])
                throw Error(concat(part.where(), ": point ", numbers[i], " of ", points,
                                   " is beyond the grid or given twice"));
            filled[at(numbers[i])] = true;
            const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * width);
            auto& row = column.rows[at(numbers[i])];
            row.assign(begin, begin + static_cast<std::ptrdiff_t>(width));
            while (list && !row.empty() && std::isnan(row.back())) row.pop_back(); // its padding
        }
    }
    const auto gap = std::find(filled.begin(), filled.end(), false);
    if (gap != filled.end())
        throw Error(concat("point ", gap - filled.begin(), " of ", points, " is in no shard"));
    if (list) column.trailing = {0};
    return column;
}

} // namespace

void write_evolution(hdf5::Group group, const EvolutionStudy& study) {
    const EvolutionSettings& s = study.settings;
    write_model(group, s.model);
    group.set_attribute("schedule", s.schedule == Schedule::parallel ? "parallel" : "sequential");
    group.set_attribute("tolerance", s.tolerance);
    group.set_attribute("max_iterations", static_cast<std::int64_t>(s.max_iterations));
    std::vector<std::string> names;
    for (const EvolutionStart& start : s.starts) names.push_back(start.name);
    group.set_attribute("starts", join(names, ","));
    if (s.assumed_noise) group.set_attribute("assumed_noise_var", *s.assumed_noise);
    if (!s.assumed_priors.empty())
        group.set_attribute("assumed_priors", nlohmann::json(s.assumed_priors).dump());
    if (s.assumed_rank)
        group.set_attribute("assumed_rank", static_cast<std::int64_t>(*s.assumed_rank));
    group.write("noise_var", s.noise_var, {"noise_var", "", "Delta, in model units"});
    const Leading leading = leading_axes(s);
    write_trajectories(group, study, "Q", &StateEvolution::q, leading,
                       "sweep,mode,component,component", "overlap of estimates with themselves");
    if (s.mismatched())
        write_trajectories(group, study, "M", &StateEvolution::m, leading,
                           "sweep,mode,component,true component",
                           "overlap of estimates with the truth");
    const Index modes = s.model.dimensions.size();
    std::vector<double> mse;
    for (const StateEvolution& one : study.runs)
        mse.insert(mse.end(), one.mse.begin(), one.mse.end());
    group.write("mse", mse.data(), longer(leading.shape, {modes}),
                {joined_axes(leading.axes, "mode"), "", "mean squared error of a row, at the end"});
    using Run = StateEvolution;
    write_numbers(group, study, leading, "signal_error", {"", "", "|What - W|^2 / |W|^2"},
                  [](const Run& r) { return r.signal_error; });
    if (!s.mismatched())
        write_numbers(group, study, leading, "free_entropy", {"", "", "replica-symmetric, per N"},
                      [](const Run& r) { return r.free_entropy; });
    write_numbers(group, study, leading, "sweeps", {"", "", "until nothing moved"},
                  [](const Run& r) { return static_cast<double>(r.sweeps()); });
    write_numbers(group, study, leading, "status", {"", "", "0 converged, 1 max-iter, 2 diverged"},
                  [](const Run& r) { return static_cast<double>(r.status); });
    write_numbers(group, study, leading, "overlap_error",
                  {"", "", "largest error of an average over fields; 0 in closed form"},
                  [](const Run& r) { return r.overlap_error; });
    if (study.thresholds) write_threshold_lists(group, *study.thresholds);
}

void write_phase(hdf5::Group group, const PhaseStudy& study) {
    const PhaseSettings& s = study.settings;
    const bool part = study.part.count > 1;
    Leading leading = leading_axes(s.axes);
    write_model(group, s.model);
    group.set_attribute("quantity", quantity_word(s.quantity));
    write_grid(group, s.axes);
    if (part) {
        group.set_attribute("shard", static_cast<std::int64_t>(study.part.index));
        group.set_attribute("shards", static_cast<std::int64_t>(study.part.count));
        std::vector<std::int64_t> numbers;
        for (const auto& [p, point] : study.points) numbers.push_back(p);
        leading = {{static_cast<Index>(numbers.size())}, "point"};
        group.write("point", numbers, {"point", "", "which of the whole grid"});
    }
    if (s.quantity == PhaseQuantity::curve)
        group.create_group("curve").write("P", s.products, {"P", "", "prod_a q_a / Delta"});
    if (s.quantity == PhaseQuantity::mse_map)
        group.create_group("mse_map").write("noise_var", s.noise_var, {"noise_var", "", ""});
    Columns columns(study);
    if (s.model.rank == 1 && s.quantity != PhaseQuantity::specialisation) columns.add_thresholds();
    if (s.quantity == PhaseQuantity::curve) columns.add_curve();
    if (s.quantity == PhaseQuantity::mse_map) columns.add_accuracy();
    if (s.quantity == PhaseQuantity::specialisation) columns.add_specialisation();
    for (Column& column : columns.all()) {
        pad_lists(column, !s.axes.empty() || part);
        write_column(group, column, leading);
    }
}

void merge_phase(hdf5::Group group, const std::vector<hdf5::Group>& parts) {
    check_all_parts(parts);
    const hdf5::Group& first = parts.front();
    const ParameterAxes grid = read_grid(first);
    const Leading leading = leading_axes(grid);
    const Index points = hdf5::element_count(leading.shape, first.where());
    // In the order in which write_phase sets them: the bytes of an undivided run.
    for (const std::string name : {"dimensions", "order", "rank", "priors", "quantity", "grid"}) {
        if (const auto text = first.text_attribute(name))
            group.set_attribute(name, *text);
        else if (name == "dimensions")
            group.set_attribute(name, first.numbers_attribute(name));
        else
            group.set_attribute(name, static_cast<std::int64_t>(whole_attribute(first, name)));
    }
    for (const std::string& name : arrays_as_written(first)) {
        if (name == "point") continue;
        const hdf5::Dataset dataset = first.dataset(name);
        if (by_point(dataset)) {
            Column column = merged_column(parts, name, points);
            pad_lists(column, !grid.empty());
            write_column(group, column, leading);
            continue;
        }
        Column column{name,
                      {dataset.axes(), "", dataset.text_attribute("description").value_or("")},
                      dataset.shape(),
                      {dataset.read<double>()}};
        write_column(group, column, {});
    }
}

Overlaps read_overlaps(const hdf5::Dataset& dataset, Index order, Index rank) {
    dataset.expect_numeric();
    if (dataset.shape() != hdf5::Shape{order, rank, rank})
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                           " numbers; mode x component x component, ", order, " x ", rank, " x ",
                           rank, ", are expected"));
    const std::vector<double> values = dataset.read<double>();
    Overlaps overlaps;
    for (Index a = 0; a < order; ++a)
        overlaps.emplace_back(
            Eigen::Map<const RowMatrix>(values.data() + a * rank * rank, rank, rank));
    for (const MatrixXd& one : overlaps)
        if (!one.allFinite() ||
            (one - one.transpose()).cwiseAbs().maxCoeff() > 1e-9 * (1 + one.cwiseAbs().maxCoeff()))
            throw Error(dataset.where() + ": symmetric matrices of finite numbers are expected");
    return overlaps;
}

} // namespace assay::tensor_amp
