// Selftest
