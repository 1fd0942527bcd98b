//! Instants, clocks, virtual time and a hierarchical timer wheel (part of fyke).
