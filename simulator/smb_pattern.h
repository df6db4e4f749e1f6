/* smb_pattern: `*` and `?`, without regard to case, as SMB clients ask for names. */
#ifndef SIMULATOR_SMB_PATTERN_H
#define SIMULATOR_SMB_PATTERN_H

#include "base/text.h"

bool smb_pattern_matches(struct text pattern, struct text name);

#endif
