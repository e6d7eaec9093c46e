#include "commands.hpp"

int main(int argc, char** argv) {
    using namespace fixedpoints_app;
    return assay::cli::main(
        argc, argv,
        {"fixedpoints",
         "find out how a recurrent network computes",
         "Takes a trained recurrent network and says where its state can rest (fixed points, with "
         "certificates), where it almost rests (slow points), how it moves near these places, how "
         "they are connected, and what inputs do there.",
         // clang-format off
         {find(),
          linearize(),
          topology(),
          cycles(),
          track(),
          compare(),
          simulate(),
          attractor(),
          inputs(),
          modes(),
          predict(),
          population(),
          merge(),
          check(),
          synth(),
          plot()},
         // clang-format on
         {}});
}
