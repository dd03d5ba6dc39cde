"""How the weights of processors/harmony/chords.npz are learnt: `python -m benchmarks.harmony`."""
