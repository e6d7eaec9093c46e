#include "commands.hpp"

int main(int argc, char** argv) {
    using namespace checkpoint_app;
    return assay::cli::main(
        argc, argv,
        {"checkpoint",
         "make, import, inspect and evaluate trained networks",
         "Produces what the other tools analyse: trains feedforward and recurrent networks with "
         "checkpoints all along, makes data sets with known truth, runs sweeps over many settings, "
         "and reads other people's networks (Keras, PyTorch, safetensors, npz).",
         {task(), tasks(), train(), evaluate(), inspect(), import(), sweep(), plot()},
         {}});
}
