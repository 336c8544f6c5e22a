//! Pages over HTTP on loopback.
