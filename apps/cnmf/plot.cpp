#include "commands.hpp"
namespace cnmf_app { assay::cli::Command plot() { return {"plot", "draw"}; } }
