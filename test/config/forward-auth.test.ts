import { describe, expect, it } from 'vitest'
import { newEdgeWorld } from '../support/edge.ts'
import { rewrite } from '../support/live.ts'

type Options = { readonly [option: string]: unknown }

const profile = (from: string, to: string) => (folder: string) => rewrite(folder, 'edge.yaml', from, to)
const configuration = (from: string | RegExp, to: string) => (folder: string) =>
  rewrite(folder, 'dragoman.yaml', from, to)

const TWICE = (folder: string) => {
  configuration(
    'forward_auth: [',
    'forward_auth: [{"name":"edge","profile":"jwt-to-cwt","client":"demo","request_from":"path"},',
  )(folder)
}

describe('forward_auth', () => {
  it.each<[why: string, options: Options, edit: ((folder: string) => void) | undefined, message: RegExp]>([
    [
      'a profile that is not there',
      {},
      profile('name: jwt-to-cwt', 'name: another'),
      /profile: expected the name of a profile/,
    ],
    [
      'a client that is not there',
      { client: 'dmo' },
      undefined,
      /client: expected the id of a client; did you mean `demo`/,
    ],
    [
      'a client that the profile does not name',
      { client: 'other' },
      configuration(
        'clients:\n',
        'clients:\n  - { client_id: other, token_endpoint_auth_method: client_secret_basic, client_secret: long-enough }\n',
      ),
      /profile: expected one with other in accept.clients/,
    ],
    [
      'a method beside which there is no room for a token',
      {},
      configuration('client_secret_basic', 'client_secret_post'),
      /client: expected one with client_secret_basic or tls_client_auth/,
    ],
    [
      'credentials in Authorization',
      { client_header: 'authorization' },
      undefined,
      /client_header: expected a field of its own/,
    ],
    [
      'a profile that takes whoever has a token',
      {},
      profile('  clients: [demo]', '  clients: [demo]\n  subject_token_authenticates: true'),
      /profile: expected one without accept.subject_token_authenticates/,
    ],
    [
      'a profile that wants an actor',
      { profile: 'jwt-delegate', audience: ['https://jwt-delegate.beta.example'] },
      undefined,
      /profile: expected one without accept.actor/,
    ],
    [
      'a profile whose tokens come from a resource server',
      {},
      profile('    format: jwt', '    format: jwt\n    presented_by: audience'),
      /profile: expected one that takes tokens from their holder/,
    ],
    [
      "a type that is not the profile's",
      { subject_token_type: 'urn:x' },
      undefined,
      /subject_token_type: expected one of urn:ietf/,
    ],
    [
      'no type where there are several',
      { subject_token_type: undefined },
      undefined,
      /subject_token_type: expected one of urn:ietf/,
    ],
    [
      'a target that the profile does not serve',
      { audience: ['https://x.example'] },
      undefined,
      /audience: expected what the profile allows/,
    ],
    [
      'no target and no default',
      { audience: undefined },
      undefined,
      /audience: expected it, or a default in the profile/,
    ],
    [
      'a field with a meaning of its own',
      { result_header: 'Set-Cookie' },
      undefined,
      /result_header: expected a field of its own/,
    ],
    [
      'what is no access token in Authorization',
      { result_header: 'Authorization' },
      undefined,
      /result_header: expected another field than Authorization/,
    ],
    [
      'credentials among what goes into tokens',
      { headers: ['Cookie'] },
      undefined,
      /headers\[0\]: expected a field that holds no credentials/,
    ],
    [
      "the proxy's own among them",
      { headers: ['Client-Authorization'] },
      undefined,
      /headers\[0\]: expected a field that holds no credentials/,
    ],
    [
      'a certificate as subject that nobody is trusted to show',
      {
        profile: 'x509-to-jwt',
        audience: ['https://x509-to-jwt.beta.example'],
        subject_token_type: 'urn:ietf:params:oauth:token-type:mtls',
      },
      undefined,
      /client_certificate: expected it/,
    ],
    [
      'output with line breaks',
      { profile: 'jwt-to-x509', audience: ['https://jwt-to-x509.beta.example'] },
      (folder) => rewrite(folder, 'edge.yaml', 'tables/', ''),
      /expected/,
    ],
    ['a name that stands twice', {}, TWICE, /name: is that of another entry too/],
    [
      'an unknown dialect',
      { request_from: 'nginx' },
      undefined,
      /request_from: expected one of x-original, x-forwarded, path/,
    ],
    [
      'a name of a field with a line break in it',
      { result_header: 'X\nY' },
      undefined,
      /result_header: expected text that matches/,
    ],
  ])('refuses %s when it is loaded', async (_, options, edit, message) => {
    await expect(newEdgeWorld(options, edit)).rejects.toThrow(message)
  })

  it('warns where nobody can ask, and where a proxy is believed about certificates', async () => {
    const { warnings, close } = await warned({}, configuration(', forward_auth: true', ''))
    expect(warnings).toContain('forward_auth edge: no listener has `forward_auth: true`, so nobody can ask')
    await close()
    const trusting = await warned({ client_certificate: { header: 'Client-Cert', encoding: 'pem' } })
    expect(trusting.warnings).toContainEqual(
      expect.stringMatching(/^forward_auth edge: client certificates are taken as/),
    )
    await trusting.close()
  })
})

async function warned(...differs: Parameters<typeof newEdgeWorld>) {
  const world = await newEdgeWorld(...differs)
  return { warnings: world.gateway.warnings, close: world.close }
}
