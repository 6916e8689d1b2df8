/** Refusals that are told from their record alone, since nothing but HTTP can provoke them; what each text has. */
export const RECORDED = {
  ERR_REQUEST_MEDIA_TYPE: [/Content-Type: application\/x-www-form-urlencoded/, /not as JSON/],
  ERR_REQUEST_BATCH: [/items: a list of 1 to \d+ items/, /each with an `id` of its own/],
  ERR_REQUEST_FORWARDED: [
    /x-forwarded-proto: to be set by the proxy/,
    /have the proxy set x-forwarded-proto/,
    /dragoman\.yaml:\d+:\d+/,
  ],
  ERR_PROFILE_HEADER: [/at most 256 characters/, /max_token_bytes/, /jwt-to-cwt\.yaml:\d+:\d+/],
  ERR_CLIENT_SLOWED: [/Retry-After/, /dragoman\.yaml:\d+:\d+/],
} as const satisfies { readonly [code: string]: readonly RegExp[] }

/** Refusals that leave no record: whoever meets one has the code of a metric, or the words that the client heard. */
export const ALONE = {
  ERR_REQUEST_METHOD: [/expected {3}POST http:\/\/127\.0\.0\.1:8080\/token/],
  ERR_REQUEST_READ_ONLY: [/GET/],
  ERR_REQUEST_ENDPOINT: [/the token endpoint of this tenant is http:\/\/127\.0\.0\.1:8080\/token/, /metadata/],
  ERR_REQUEST_HTTP: [/TLS/],
  ERR_REQUEST_HEADERS: [/docs\/limits\.md/],
  ERR_REQUEST_TIMEOUT: [/docs\/limits\.md/],
  ERR_OVERLOADED: [/Retry-After/, /--workers/, /limits\.concurrent_exchanges at .*dragoman\.yaml/],
} as const satisfies { readonly [code: string]: readonly RegExp[] }
