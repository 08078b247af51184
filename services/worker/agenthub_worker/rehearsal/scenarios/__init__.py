"""The sample goals that the rehearsal model can play, one package each."""
