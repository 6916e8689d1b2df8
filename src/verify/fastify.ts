import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { requestOf } from './request.ts'
import type { VerifiedToken } from './result.ts'
import type { Verifier } from './verifier.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The token of this request; there in every handler behind {@link fastifyVerifier}. */
    verified: VerifiedToken
  }
}

export interface FastifyVerifierOptions {
  /** DER of the client's certificate, where a proxy ends TLS and says so. Default: that of the connection. */
  readonly certificate?: (request: FastifyRequest) => Uint8Array | undefined
}

/**
 * A fastify plugin: no request of the context that it is registered in reaches its handler without a token that was
 * verified for it. The token is `request.verified`.
 *
 * Works as `preHandler`, so that bodies have been parsed and can be compared.
 */
export function fastifyVerifier(verifier: Verifier, options: FastifyVerifierOptions = {}): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (app, _, done) => {
    app.decorateRequest('verified')
    app.addHook('preHandler', async (request: FastifyRequest, reply: FastifyReply) => {
      // `url` is what routing went by; `query` and `body` what the handler will see.
      const { url, query, body } = request
      const certificate = options.certificate?.(request)
      const { token, answer } = await verifier.admit(requestOf(request.raw, { url, query, body, certificate }))
      if (token === undefined) return reply.code(answer.status).headers(answer.headers).send(answer.body)
      request.verified = token
    })
    done()
  }
  // What fastify asks of a plugin that is for the context it is registered in, rather than for one of its own.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'dragoman',
  })
}
