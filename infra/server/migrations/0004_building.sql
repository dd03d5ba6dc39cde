-- Why a generation that is being built gets no further, whichever partition it has come to.
ALTER TABLE views ADD failure text;
