import { atPlace, type Found, type Rules } from '../found.ts'
import { shown } from '../words.ts'

/** What is said before there is an exchange: of the connection, of the body, of how much there is to do. */
export const connectionRules: Rules = {
  ERR_REQUEST_METHOD: ({ services }) => ({
    expected: `POST ${services.tokenEndpoint}`,
    found: 'another method',
    remedies: ['send a POST request, the parameters in its body; a redirect may have made a GET of it'],
  }),
  ERR_REQUEST_READ_ONLY: () => ({
    expected: 'GET, or HEAD, of a published document',
    found: 'another method',
    remedies: ['send a GET request: keys, metadata, health and metrics are there to be read'],
  }),
  ERR_REQUEST_ENDPOINT: ({ services }) => ({
    expected: `a path that there is: the token endpoint of this tenant is ${services.tokenEndpoint}`,
    found: 'another path, or the host of no tenant in the header field Host',
    remedies: [
      'take the URLs from the metadata of the issuer (RFC 8414); a slash at the end counts',
      'have a proxy in front pass on path and Host as they came',
      'ask the listener that serves it: `/explain` is served with `operators`, forward-auth with `forward_auth`, and `operations: false` takes health and metrics away',
    ],
  }),
  ERR_REQUEST_HTTP: () => ({
    expected: 'a request of HTTP/1.1, whole',
    found: 'bytes that are none, or a client that went away',
    remedies: [
      'speak TLS to the listener with `tls`, and plain HTTP to one without',
      'send Content-Length, or chunks, as RFC 9112 says',
    ],
  }),
  ERR_REQUEST_HEADERS: () => ({
    expected: 'header fields within the limit of the listener (see docs/limits.md)',
    found: 'larger ones',
    remedies: ['send smaller header fields: cookies that are for somebody else, a DPoP proof by a smaller key'],
  }),
  ERR_REQUEST_TIMEOUT: () => ({
    expected: 'a request that arrives whole within its time (see docs/limits.md)',
    found: 'one that did not',
    remedies: ['send header and body without pause; look at what is between client and gateway'],
  }),
  ERR_REQUEST_MEDIA_TYPE: ({ detail }) => ({
    expected: `Content-Type: ${shown(detail['expected'] ?? 'application/x-www-form-urlencoded')}`,
    found: 'another media type, or no body',
    remedies: ['send the parameters as a form (RFC 8693 section 2.1), not as JSON: with curl, --data-urlencode'],
  }),
  ERR_REQUEST_TOO_LARGE: (found) => {
    const place = found.configuration?.list('limits')
    return {
      place,
      expected: `a body of ${shown(found.detail['expected'] ?? 'at most `limits.body_bytes`')}`,
      found: 'a longer one',
      remedies: [
        'send smaller tokens, or fewer items in a batch',
        `or raise limits.body_bytes, of a batch batch.body_bytes${atPlace(place)}`,
      ],
    }
  },
  ERR_REQUEST_FORM: ({ detail, configuration }) => ({
    expected: shown(detail['expected'] ?? 'a form (RFC 6749 appendix B)'),
    found: 'another form',
    remedies: [
      'percent-encode each value once, as UTF-8: + stands for a space, %2B for +, %26 for &',
      'put all parameters into the body: of the URI none is read',
      `send fewer parameters, or shorter ones, or raise limits.parameters and limits.parameter_bytes${atPlace(configuration?.list('limits'))}`,
    ],
  }),
  ERR_REQUEST_BATCH: ({ detail }) => ({
    expected: `${detail['path'] === undefined ? '' : `${shown(detail['path'])}: `}${shown(detail['expected'] ?? 'a JSON object with items')}`,
    found: 'another body',
    remedies: [
      'send one JSON object: parameters for all, and in `items` a list of objects, each with an `id` of its own',
      'leave credentials out of the items, and send more than the limit in several batches',
    ],
  }),
  ERR_REQUEST_FORWARDED: (found) => {
    const { detail, configuration } = found
    const field = shown(detail['field'] ?? 'the header field')
    const place = configuration?.list('forward_auth')
    const twice = detail['expected'] === 'it once'
    // A header field that the proxy sets; the others are parts of what the client asked for.
    const header = field.includes('-')
    return {
      place,
      expected: twice ? `${field} once` : `${field}: ${shown(detail['expected'] ?? 'as the proxy has it')}`,
      found: twice ? 'it twice: the proxy adds to what a client sent' : header ? 'none, or something else' : 'another',
      remedies: [
        twice
          ? `have the proxy replace ${field}, not append to it: then no client can say it`
          : header
            ? `have the proxy set ${field}, as the page on your proxy in docs/howto/forward-auth.md shows`
            : `have the client ask with such a ${field}: it is handed on as it came, and can be read in two ways`,
        `or let the endpoint read the fields that your proxy sets: request_from${atPlace(place)}`,
      ],
    }
  },
  ERR_CLIENT_SLOWED: (found) => ({
    place: clientPlace(found),
    expected: 'fewer failed attempts: after some, there are none for a minute',
    found: 'too many of them',
    remedies: [
      'wait as long as Retry-After says; other clients are not held up',
      'look in the audit records before this one for what failed: a secret that was changed on one side only, or somebody who guesses',
    ],
  }),
  ERR_OVERLOADED: ({ configuration }) => ({
    place: configuration?.list('limits'),
    expected: 'room for one more exchange',
    found: 'as many under way as there may be',
    remedies: [
      'ask again after the time in Retry-After',
      `or add a process, or threads (\`serve --workers\`); for one tenant, raise limits.concurrent_exchanges${atPlace(configuration?.list('limits'))}`,
    ],
  }),
}

const clientPlace = ({ detail, configuration }: Found) =>
  typeof detail['client'] === 'string' ? configuration?.client(detail['client']) : configuration?.list('clients')
