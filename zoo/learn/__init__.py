"""An LSTM from its equations, and the gates of a trained one: for reading, not for building variants."""
