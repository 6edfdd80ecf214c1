#include "lib/rpm/header.h"

#include "lib/base/mem.h"

/*
 * rpm's own table, include/rpm/rpmtag.h of 4.18 to 6.1: the type in which a
 * tag stands in a header. The three types of strings are one for rpm.
 */
#define TEXT RPM_STRING

static const struct tags {
	uint32_t first;
	uint32_t last;
	enum rpm_type type;
} known[] = {
	{100, 100, TEXT}, {257, 257, RPM_INT32}, {259, 259, RPM_BIN},
	{261, 262, RPM_BIN}, {266, 266, TEXT}, {267, 268, RPM_BIN},
	{269, 269, TEXT}, {270, 271, RPM_INT64}, {273, 273, TEXT},
	{276, 276, TEXT}, {277, 277, RPM_INT32}, {1000, 1002, TEXT},
	{1003, 1003, RPM_INT32}, {1004, 1005, TEXT}, {1006, 1006, RPM_INT32},
	{1007, 1007, TEXT}, {1008, 1009, RPM_INT32}, {1010, 1011, TEXT},
	{1012, 1013, RPM_BIN}, {1014, 1016, TEXT}, {1018, 1027, TEXT},
	{1028, 1028, RPM_INT32}, {1029, 1029, RPM_CHAR},
	{1030, 1030, RPM_INT16}, {1033, 1033, RPM_INT16},
	{1034, 1034, RPM_INT32}, {1035, 1036, TEXT}, {1037, 1037, RPM_INT32},
	{1039, 1040, TEXT}, {1043, 1043, RPM_BIN}, {1044, 1044, TEXT},
	{1045, 1046, RPM_INT32}, {1047, 1047, TEXT}, {1048, 1048, RPM_INT32},
	{1049, 1050, TEXT}, {1051, 1053, RPM_INT32}, {1054, 1055, TEXT},
	{1059, 1062, TEXT}, {1064, 1067, TEXT}, {1068, 1069, RPM_INT32},
	{1079, 1079, TEXT}, {1080, 1080, RPM_INT32}, {1081, 1082, TEXT},
	{1085, 1092, TEXT}, {1094, 1094, TEXT}, {1095, 1096, RPM_INT32},
	{1097, 1099, TEXT}, {1106, 1106, RPM_INT32}, {1112, 1112, RPM_INT32},
	{1113, 1113, TEXT}, {1114, 1114, RPM_INT32}, {1115, 1115, TEXT},
	{1116, 1116, RPM_INT32}, {1117, 1118, TEXT}, {1119, 1119, RPM_INT32},
	{1120, 1126, TEXT}, {1127, 1129, RPM_INT32}, {1132, 1133, TEXT},
	{1134, 1134, RPM_INT32}, {1135, 1135, TEXT}, {1140, 1141, RPM_INT32},
	{1142, 1142, TEXT}, {1143, 1145, RPM_INT32}, {1146, 1146, RPM_BIN},
	{1147, 1157, TEXT}, {1158, 1158, RPM_INT32}, {1159, 1160, TEXT},
	{1161, 1161, RPM_INT32}, {1195, 1195, RPM_INT32}, {1196, 1196, TEXT},
	{5000, 5002, TEXT}, {5005, 5007, TEXT}, {5008, 5009, RPM_INT64},
	{5010, 5010, TEXT}, {5011, 5011, RPM_INT32}, {5012, 5016, TEXT},
	{5017, 5027, RPM_INT32}, {5030, 5031, TEXT}, {5032, 5033, RPM_INT32},
	{5034, 5036, TEXT}, {5037, 5037, RPM_INT32}, {5040, 5044, TEXT},
	{5045, 5045, RPM_INT32}, {5046, 5047, TEXT}, {5048, 5048, RPM_INT32},
	{5049, 5050, TEXT}, {5051, 5051, RPM_INT32}, {5052, 5053, TEXT},
	{5054, 5054, RPM_INT32}, {5055, 5056, TEXT}, {5057, 5057, RPM_INT32},
	{5058, 5062, TEXT}, {5066, 5067, TEXT}, {5068, 5068, RPM_INT32},
	{5069, 5069, TEXT}, {5070, 5070, RPM_INT32}, {5071, 5071, TEXT},
	{5072, 5072, RPM_INT32}, {5076, 5077, TEXT}, {5078, 5078, RPM_INT32},
	{5079, 5079, TEXT}, {5080, 5080, RPM_INT32}, {5081, 5081, TEXT},
	{5082, 5082, RPM_INT32}, {5084, 5085, RPM_INT32}, {5086, 5090, TEXT},
	{5091, 5091, RPM_INT32}, {5092, 5092, TEXT}, {5093, 5093, RPM_INT32},
	{5096, 5101, TEXT}, {5103, 5106, TEXT}, {5107, 5108, RPM_INT32},
	{5109, 5109, TEXT}, {5112, 5113, RPM_INT64}, {5114, 5115, RPM_INT32},
	{5116, 5118, TEXT}, {5119, 5119, RPM_INT32}, {5120, 5124, TEXT},
};

static bool
is_text(uint32_t type)
{
	return type == RPM_STRING || type == RPM_STRING_ARRAY ||
	    type == RPM_I18NSTRING;
}

bool
rpm_tag_has_type(uint32_t tag, uint32_t type)
{
	size_t low = 0, high = COUNT(known), middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (tag > known[middle].last)
			low = middle + 1;
		else if (tag < known[middle].first)
			high = middle;
		else
			return known[middle].type == type ||
			    (known[middle].type == TEXT && is_text(type));
	}
	return true;
}
