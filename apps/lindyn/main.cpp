#include "commands.hpp"

int main(int argc, char** argv) {
    using namespace lindyn_app;
    return assay::cli::main(
        argc, argv,
        {"lindyn",
         "what the theory of deep linear networks predicts for a training run",
         "Takes a data set, or its second-order statistics, and says which input-output modes it "
         "holds, when gradient descent will learn each of them, and how the loss will fall.",
         {modes(), predict(), simulate(), compare(), develop(), coherence(), induct(), generalize(),
          denoise(), transfer(), regress(), stability(), synth(), plot(), merge()},
         {}});
}
