"""What can be heard in an audio asset: one module a finding, all served by one decode and one spectrogram."""

from processors.audio.beats import track_beats
from processors.audio.chords import estimate_chords
from processors.audio.describe import describe_audio
from processors.audio.embedding import compute_embedding
from processors.audio.features import extract_features
from processors.audio.key import estimate_key
from processors.audio.loudness import measure_loudness
from processors.audio.silence import find_silence
from processors.audio.waveform import draw_waveform

PROCESSORS = (
    describe_audio,
    draw_waveform,
    measure_loudness,
    extract_features,
    find_silence,
    track_beats,
    estimate_key,
    estimate_chords,
    compute_embedding,
)
"""Every handler of this craft."""
