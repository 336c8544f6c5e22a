//! What the fuzz targets share: a sink that touches everything, layouts and streams made of any bytes, and what must
//! hold of every recording.
//!
//! Nothing here reads a file. A broken promise is a panic, which is what libFuzzer looks for.

pub mod events;
pub mod input;
pub mod layouts;
pub mod meter;
pub mod stream;
pub mod tables;
