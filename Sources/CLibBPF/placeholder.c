#include "CLibBPF.h"
