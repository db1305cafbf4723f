"""Whether a network is built right: dimensions, gradients, memory, time, odd inputs, repeats."""
