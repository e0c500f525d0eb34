"""Statistics of timings, of one data set's forecasts, and of ranks over several data sets."""
