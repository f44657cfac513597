"""The page on which anyone plays with a latent space, and the server behind it.

`page/` is plain HTML, CSS and JavaScript. It does all arithmetic on latents itself and asks a backend for the rest
(`page/backend.js`): here a server that draws, decodes and encodes. `latentry.api.explore` puts runs into it.
"""
