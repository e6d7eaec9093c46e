#include <assay/tensor_amp/grid_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

namespace assay::tensor_amp {

std::string joined_axes(const std::string& first, const std::string& second) {
    return first.empty() || second.empty() ? first + second : first + "," + second;
}

Leading Leading::with(const std::string& axis, Index length) const {
    Leading longer = *this;
    longer.shape.push_back(length);
    longer.axes = joined_axes(axes, axis);
    return longer;
}

Leading leading_axes(const ParameterAxes& axes) {
    Leading leading;
    for (const ParameterAxis& axis : axes) leading = leading.with(axis.name, axis.values.size());
    return leading;
}

void write_grid(hdf5::Group& group, const ParameterAxes& axes) {
    group.set_attribute("grid", leading_axes(axes).axes);
    for (const ParameterAxis& axis : axes)
        group.write(axis.name, axis.values, {axis.name, "", "of the grid"});
}

ParameterAxes read_grid(const hdf5::Group& group) {
    ParameterAxes axes;
    const std::string grid = group.text_attribute("grid").value_or("");
    for (const std::string& name : grid.empty() ? std::vector<std::string>{} : split(grid, ',')) {
        const hdf5::Dataset values = group.dataset(name).expect_numeric().expect_rank(1);
        if (values.size() == 0)
            throw Error(values.where() + ": empty; an axis of the grid is expected");
        axes.push_back({name, values.read_vector()});
    }
    static_cast<void>(hdf5::element_count(leading_axes(axes).shape, group.where()));
    return axes;
}

} // namespace assay::tensor_amp
