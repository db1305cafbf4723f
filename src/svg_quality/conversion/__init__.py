"""From a raster logo and eleven parameters to a measured tracing."""
