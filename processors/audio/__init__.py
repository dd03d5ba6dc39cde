"""What can be heard in an audio asset: one module a finding, all served by one decode and one spectrogram."""
