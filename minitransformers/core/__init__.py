"""The tensor core: primitives with derivatives, modules, cache, masks, random numbers, threads."""
