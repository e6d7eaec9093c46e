#include <assay/network/cell.hpp>

#include <assay/core/error.hpp>

namespace assay::network {

int CellForm::gates() const {
    switch (kind) {
    case CellKind::lstm:
        return 4;
    case CellKind::gru_after:
    case CellKind::gru_before:
        return 3;
    case CellKind::ugrnn:
    case CellKind::janet:
        return 2;
    default:
        return 1;
    }
}

std::string CellForm::gate_names() const {
    switch (kind) {
    case CellKind::lstm:
        return "i,f,g,o";
    case CellKind::gru_after:
    case CellKind::gru_before:
        return "r,z,n";
    case CellKind::ugrnn:
        return "u,c";
    case CellKind::janet:
        return "f,g";
    default:
        return "";
    }
}

namespace {

CellKind kind_of(Keys& keys, const std::string& type) {
    if (type == "rnn") return CellKind::rnn;
    if (type == "linear") return CellKind::linear;
    if (type == "lstm") return CellKind::lstm;
    if (type == "ugrnn") return CellKind::ugrnn;
    if (type == "janet") return CellKind::janet;
    if (type == "gru")
        return keys.flag("reset_after", true) ? CellKind::gru_after : CellKind::gru_before;
    return keys.word("form", {"rate", "current"}, "rate") == "rate" ? CellKind::ctrnn_rate
                                                                    : CellKind::ctrnn_current;
}

} // namespace

CellForm read_cell(Keys& keys, const std::string& type, Index inputs) {
    CellForm form;
    form.kind = kind_of(keys, type);
    form.inputs = inputs;
    form.units = keys.count("units", 1, Index{1} << 24);
    if (form.kind != CellKind::linear)
        form.activation = read_activation_of(keys, "activation",
                                             {"tanh", "relu", "identity", "softplus"}, "tanh");
    if (form.gates() > 1)
        form.gate = read_activation_of(keys, "recurrent_activation", {"sigmoid", "hard_sigmoid"},
                                       "sigmoid");
    if (type == "ctrnn") {
        form.alpha = keys.numbers("alpha");
        if (form.alpha.size() != 1 && static_cast<Index>(form.alpha.size()) != form.units)
            keys.refuse("alpha", concat("expected 1 or ", form.units, " numbers, found ",
                                        form.alpha.size()));
        for (const double alpha : form.alpha)
            if (!(alpha > 0 && alpha <= 1)) keys.refuse("alpha", "expected numbers in (0, 1]");
    }
    form.bias = keys.flag("bias", true);
    form.recurrent_bias = keys.flag("recurrent_bias", false);
    form.initial_state = keys.flag("initial_state", false);
    return form;
}

std::vector<ParameterInfo> cell_parameters(const CellForm& form) {
    const Index rows = form.gates() * form.units;
    std::vector<ParameterInfo> list{
        {"kernel", {rows, form.inputs}, Role::weight, form.inputs, form.units},
        {"recurrent", {rows, form.units}, Role::recurrent, form.units, form.units}};
    if (form.bias) list.push_back({"bias", {rows}, Role::bias, form.inputs, form.units});
    if (form.recurrent_bias)
        list.push_back({"recurrent_bias", {rows}, Role::bias, form.units, form.units});
    if (form.initial_state) list.push_back({"initial_state", {form.state_size()}, Role::state});
    return list;
}

} // namespace assay::network
