/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates of one key for the name webhook.ns.svc, of one CA, and another CA; "good" also for 192.0.2.1 and
 * 2001:db8::1, from 2020 to 2099; "expired" until 2021, "future" from 2090; "nameless" has a common name alone.
 */
#ifndef TEST_TLS_CASES_H
#define TEST_TLS_CASES_H

static const char pem_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
			      "MHcCAQEEIF2iVAJ58jVvbaERzEarLtOF09CRJjkBLmDn4FTF+MxqoAoGCCqGSM49\n"
			      "AwEHoUQDQgAEDG0UBTXgAsBCrKPLyeYcyBhmz9evtTEPBEPzt/YWxDdRY7R3qOEz\n"
			      "7Ro5xlhq7Jj3UQFnwDEiu8QFUBcZr4dK1w==\n"
			      "-----END EC PRIVATE KEY-----\n";
static const char pem_ca[] = "-----BEGIN CERTIFICATE-----\n"
			     "MIIBcTCCARegAwIBAgIUDDMQ68F7vbY6I3SQ0A1PbZTCtRowCgYIKoZIzj0EAwIw\n"
			     "DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI3MDI0NTQzWhgPMjEwMDEwMzAwMjQ1NDNa\n"
			     "MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDZPrdTdj\n"
			     "/Ct5jRVg2xTBtRXIeo2SUQblaOKpCjuikyThxowcuRn9Y0cHhxPVKf8lslHrUgFj\n"
			     "patdUsJuKm9Lm6NTMFEwHQYDVR0OBBYEFKZBtg49moJo7H0WR9F7mSa9uz/wMB8G\n"
			     "A1UdIwQYMBaAFKZBtg49moJo7H0WR9F7mSa9uz/wMA8GA1UdEwEB/wQFMAMBAf8w\n"
			     "CgYIKoZIzj0EAwIDSAAwRQIgBrWreH2vot83k+g1pMUFjq7Vhd73tQoUz6IJ7lv9\n"
			     "pPcCIQCa1W9MXQlw4+b2wZ/7SZTevhIkGWjxiFMefGETGUgu0A==\n"
			     "-----END CERTIFICATE-----\n";
static const char pem_other_ca[] = "-----BEGIN CERTIFICATE-----\n"
				   "MIIBdjCCAR2gAwIBAgIUTQ7pnGEX53GLYXZm1Ut3trQsj2swCgYIKoZIzj0EAwIw\n"
				   "EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI3MDI0NTQzWhgPMjEwMDEwMzAwMjQ1\n"
				   "NDNaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
				   "AZ/Zexh+EOUOpJJj1Rl+eox5dXI3+VerdZjASpSENEJ1aNiDiFetvetrACo94dNr\n"
				   "/rJoNg1m7iNMZYHZnkK5vKNTMFEwHQYDVR0OBBYEFPdET0GexD+2jvHEP3hmCitj\n"
				   "FFOoMB8GA1UdIwQYMBaAFPdET0GexD+2jvHEP3hmCitjFFOoMA8GA1UdEwEB/wQF\n"
				   "MAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgK/BBFUC1Q1lecm5706mdX5qznt6vxpov\n"
				   "v3GM1CVzF6wCIDj+S1exdpw7qppTb780pPnhsJUJeUiVxO+OyoIQm+E/\n"
				   "-----END CERTIFICATE-----\n";
static const char pem_good[] = "-----BEGIN CERTIFICATE-----\n"
			       "MIIBoDCCAUWgAwIBAgIUOPOzF8xkZQJBEcXPkjnjKZ9CwoEwCgYIKoZIzj0EAwIw\n"
			       "DTELMAkGA1UEAwwCY2EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBa\n"
			       "MBkxFzAVBgNVBAMMDndlYmhvb2subnMuc3ZjMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
			       "AQcDQgAEDG0UBTXgAsBCrKPLyeYcyBhmz9evtTEPBEPzt/YWxDdRY7R3qOEz7Ro5\n"
			       "xlhq7Jj3UQFnwDEiu8QFUBcZr4dK16N1MHMwMQYDVR0RBCowKIIOd2ViaG9vay5u\n"
			       "cy5zdmOHBMAAAgGHECABDbgAAAAAAAAAAAAAAAEwHQYDVR0OBBYEFPj7v6VAcgQP\n"
			       "bZU2XuMK40ArS3veMB8GA1UdIwQYMBaAFKZBtg49moJo7H0WR9F7mSa9uz/wMAoG\n"
			       "CCqGSM49BAMCA0kAMEYCIQCOm5C7hJIxfAqvNfGKjK7QVMr/vZtZLmaf1Azf3k7C\n"
			       "XQIhANTLYIRZprNQFg/XlfzGKy+AJTHx31FKD7A8lByfIeuN\n"
			       "-----END CERTIFICATE-----\n";
static const char pem_expired[] = "-----BEGIN CERTIFICATE-----\n"
				  "MIIBhTCCASugAwIBAgIUObb4oicT/eiUrC7paZHh9meh/o8wCgYIKoZIzj0EAwIw\n"
				  "DTELMAkGA1UEAwwCY2EwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAZ\n"
				  "MRcwFQYDVQQDDA53ZWJob29rLm5zLnN2YzBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
				  "A0IABAxtFAU14ALAQqyjy8nmHMgYZs/Xr7UxDwRD87f2FsQ3UWO0d6jhM+0aOcZY\n"
				  "auyY91EBZ8AxIrvEBVAXGa+HStejXTBbMBkGA1UdEQQSMBCCDndlYmhvb2subnMu\n"
				  "c3ZjMB0GA1UdDgQWBBT4+7+lQHIED22VNl7jCuNAK0t73jAfBgNVHSMEGDAWgBSm\n"
				  "QbYOPZqCaOx9FkfRe5kmvbs/8DAKBggqhkjOPQQDAgNIADBFAiBJvSQgn9N5ymjB\n"
				  "aFW5lrCPn7I8IsHzRYPixhtwGsZW5QIhAOtu+/gPgiFdiz5hmPA7aDzDJOguNvRb\n"
				  "j7nwam8hz0Gg\n"
				  "-----END CERTIFICATE-----\n";
static const char pem_future[] = "-----BEGIN CERTIFICATE-----\n"
				 "MIIBiDCCAS+gAwIBAgIUHGOWAjmuOf935etssNFArdKGZvIwCgYIKoZIzj0EAwIw\n"
				 "DTELMAkGA1UEAwwCY2EwIhgPMjA5MDAxMDEwMDAwMDBaGA8yMDk5MTIzMTAwMDAw\n"
				 "MFowGTEXMBUGA1UEAwwOd2ViaG9vay5ucy5zdmMwWTATBgcqhkjOPQIBBggqhkjO\n"
				 "PQMBBwNCAAQMbRQFNeACwEKso8vJ5hzIGGbP16+1MQ8EQ/O39hbEN1FjtHeo4TPt\n"
				 "GjnGWGrsmPdRAWfAMSK7xAVQFxmvh0rXo10wWzAZBgNVHREEEjAQgg53ZWJob29r\n"
				 "Lm5zLnN2YzAdBgNVHQ4EFgQU+Pu/pUByBA9tlTZe4wrjQCtLe94wHwYDVR0jBBgw\n"
				 "FoAUpkG2Dj2agmjsfRZH0XuZJr27P/AwCgYIKoZIzj0EAwIDRwAwRAIgJi20t1KC\n"
				 "nNax7+Km/Uw0hSE4OSO3x3qR59a98gsh6o0CICzhbyShQ9d4lFPQbdCKj/Q0oO0n\n"
				 "GLxWx4EsY9bOy3im\n"
				 "-----END CERTIFICATE-----\n";
static const char pem_nameless[] = "-----BEGIN CERTIFICATE-----\n"
				   "MIIBIzCByQIUbQTexeytn43VXQxz8HjDwvPGEmIwCgYIKoZIzj0EAwIwDTELMAkG\n"
				   "A1UEAwwCY2EwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBaMBkxFzAV\n"
				   "BgNVBAMMDndlYmhvb2subnMuc3ZjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
				   "DG0UBTXgAsBCrKPLyeYcyBhmz9evtTEPBEPzt/YWxDdRY7R3qOEz7Ro5xlhq7Jj3\n"
				   "UQFnwDEiu8QFUBcZr4dK1zAKBggqhkjOPQQDAgNJADBGAiEAjjH8jHUhTbC2xfhj\n"
				   "3fI0xpagHgYgTiUlQdXFCxZR4PgCIQDTilzRo8D0g7Tz75SnSXBdNFbuPS6HVBci\n"
				   "uspTN95G2g==\n"
				   "-----END CERTIFICATE-----\n";

#endif
