/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "random_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SHORT_LISTS \
	"--istio-service-cidr 10.0.0.0/8,2001:db8::/32 --istio-service-exclude-cidr 10.9.0.0/16,2001:db8:1::/48"

const char *const config_lines[N_CONFIG_LINES] = {
	"",
	"--sidecar",
	"--sidecar --ipv6 off",
	"--sidecar -m TPROXY",
	"--sidecar -m TPROXY --drop-invalid -u 1,2 -g 3",
	"-m TPROXY -b 80,8080-8090",
	"--sidecar -m TPROXY -t 0x539f -r 77 --bypass-mark 7",
	"--sidecar --bypass-mark 0x100/0xff00",
	"--sidecar --redirect-dns --capture-all-dns",
	"--redirect-dns --capture-all-dns --proxy-uid 3,4 --proxy-gid 1,2",
	"--sidecar -m TPROXY --redirect-dns --capture-all-dns --exclude-outbound-uids 1000,2000-2005",
	"--sidecar -u 3,4 -g 1,2",
	"-u 1,2,3 -i 127.0.0.0/8",
	"-i ::1/128 -b 80 -d 80",
	SHORT_LISTS,
	SHORT_LISTS " -q 80,1000-2000 -o 81,443",
	"--sidecar -c eth1,net+",
	"--sidecar -c eth1,vm0 -k vm0",
	SHORT_LISTS " -k vm0,vm1,vm+",
	"--sidecar -m TPROXY -c eth1,eth2 -k vm0 --exclude-inbound-cidrs 10.0.0.0/8,fd00::/8",
	"--sidecar --exclude-inbound-cidrs 10.0.0.0/8,fd00::/8,192.168.1.1",
	"--sidecar --exclude-outbound-ports-for-uids tcp:3306,8000-8100:1000-1005 --exclude-outbound-gids 50-60,7",
	"-i 0.0.0.0/0,::/0 -x 10.96.0.2/24,fd00::1/64,1.2.3.4",
	"--sidecar -e 16008 -p 16001 -z 16006 -o 3306,27017-27019 -d 22,1-2,65535",
};

static const char *const choices[][4] = {
	{ "--sidecar", "-b *", "-b 80,443,8000-8100", "" },
	{ "-i *", "-i 10.0.0.0/8,2001:db8::/32", "-i 127.0.0.0/8,9.9.9.9", "" },
	{ "-x 10.9.0.0/16,10.0.0.1", "-x fd00::/64,::2", "-x 0.0.0.0/1", "" },
	{ "-m TPROXY", "-m TPROXY -t 7", "", "" },
	{ "-d 22,8080", "-d 1-1024", "-d 80", "" },
	{ "-o 53,3306", "-o 1-3", "-o 15008", "" },
	{ "-q 80,9000-9100", "-q 443", "", "" },
	{ "-u 1337,0", "-u 1,2,3", "-u 4294967290", "" },
	{ "-g 1337", "-g 5,6,7", "-g 0", "" },
	{ "-c eth1", "-c net+,eth0", "-c lo", "" },
	{ "-k vm0,vm1", "-k eth0", "", "" },
	{ "--redirect-dns --capture-all-dns", "", "", "" },
	{ "--exclude-outbound-uids 1000-1005,7", "--exclude-outbound-uids 0", "", "" },
	{ "--exclude-outbound-gids 50-60,1", "", "", "" },
	{ "--exclude-outbound-ports-for-uids udp:53:7,8", "--exclude-outbound-ports-for-uids tcp:80,90-99:1-3", "", "" },
	{ "--exclude-inbound-cidrs 10.0.0.0/9,fd00::/8", "--exclude-inbound-cidrs 0.0.0.0/0", "", "" },
	{ "--bypass-mark 0x100/0xff00", "--bypass-mark 1", "", "" },
	{ "--drop-invalid", "", "", "" },
	{ "--ipv6 off", "", "", "" },
	{ "-e 80", "", "", "" },
	{ "--keep-connections", "", "", "" },
};

char *random_config(void)
{
	char line[2048] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(choices); i++) {
		strcat(line, choices[i][rand() % 4]);
		strcat(line, " ");
	}
	return xstrdup(line);
}
