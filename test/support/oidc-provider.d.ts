/** The little of oidc-provider that a peer in a test needs. It ships no types of its own. */
declare module 'oidc-provider' {
  interface Context {
    readonly oidc: {
      readonly client: { readonly clientId: string }
      readonly params: { readonly [name: string]: string | undefined }
    }
    body: unknown
  }

  interface Model {
    resourceServer?: unknown
    readonly expiration: number
    readonly tokenType: string
    readonly scope?: string
    save(): Promise<string>
  }

  export const errors: { readonly InvalidGrant: new (detail: string) => Error }

  export default class Provider {
    constructor(issuer: string, configuration: { readonly [option: string]: unknown })
    readonly issuer: string
    readonly AccessToken: new (members: {
      readonly [name: string]: unknown
    }) => Model
    readonly ResourceServer: new (
      identifier: string,
      info: { readonly [name: string]: unknown },
    ) => unknown
    readonly ReplayDetection: { unique(issuer: string, jti: string, exp: number): Promise<boolean> }
    registerGrantType(name: string, handler: (context: Context) => Promise<void>, parameters: readonly string[]): void
    callback(): (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void
  }
}
