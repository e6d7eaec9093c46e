#include "commands.hpp"

int main(int argc, char** argv) {
    using namespace tensor_amp_app;
    return assay::cli::main(
        argc, argv,
        {"tensor-amp",
         "low-rank structure in a noisy tensor, and whether anyone could find it",
         "Decomposes an array of any order into components with error bars by approximate message "
         "passing, says how well that could be done by theory, and compares it with alternating "
         "least squares.",
         {synth(), fit(), se(), phase(), sweep(), rank(), compare(), diagnose(), reconstruct(),
          merge(), plot(), bench()},
         {}});
}
