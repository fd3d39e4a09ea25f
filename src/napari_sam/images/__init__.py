"""Images of any kind as planes a model can look at; numpy, no torch."""
