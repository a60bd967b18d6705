//! Events into offences, offences into signals: windows and detectors.
