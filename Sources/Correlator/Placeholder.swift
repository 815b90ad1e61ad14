// Correlator
