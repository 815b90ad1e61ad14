#include "CSelftest.h"
