#include "commands.hpp"

#include <assay/formats/recording_file.hpp>

int main(int argc, char** argv) {
    using namespace cnmf_app;
    return assay::cli::main(
        argc, argv,
        {"cnmf",
         "find the motifs that recur in a recording",
         "A recording (units x time, nonnegative) is explained by a few short motifs that recur: "
         "convolutive nonnegative matrix "
         "factorisation. cnmf finds the motifs and when they occur, says how many there are, which "
         "are more than chance and how long "
         "they really are, and finds the same motifs again in new data.",
         {fit(), transform(), select(), merge(), significance(), align(), compare(), events(),
          extent(), score(), reconstruct(), sequenciness(), bin(), synth(), plot(), bench()},
         assay::formats::list_arrays});
}
