#include <assay/cli/command.hpp>
int main(int argc, char** argv) { return assay::cli::main(argc, argv, {"cnmf", "x", "y", {}, {}}); }
