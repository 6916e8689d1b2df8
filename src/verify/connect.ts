import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from './challenge.ts'
import { requestOf } from './request.ts'
import type { VerifiedToken } from './result.ts'
import type { Verifier } from './verifier.ts'

/** A request of Express or Connect, with what they and their body parsers add, and what we do. */
export interface ConnectRequest extends IncomingMessage {
  originalUrl?: string
  body?: unknown
  query?: unknown
  /** The token of this request; there in every handler behind {@link connectVerifier}. */
  verified?: VerifiedToken
}

export interface ConnectVerifierOptions {
  /** DER of the client's certificate, where a proxy ends TLS and says so. Default: that of the connection. */
  readonly certificate?: (request: ConnectRequest) => Uint8Array | undefined
}

/**
 * Middleware for Express and Connect: what comes after it sees requests only with a token that was verified for them, in
 * `request.verified`. Rules that compare the body need a body parser before it.
 */
export const connectVerifier =
  (verifier: Verifier, options: ConnectVerifierOptions = {}) =>
  (request: ConnectRequest, response: ServerResponse, next: (error?: unknown) => void): void => {
    // A router that is mounted takes its prefix off `url`.
    const { originalUrl: url, query, body } = request
    const made = { url, query, body, certificate: options.certificate?.(request) }
    verifier.admit(requestOf(request, made)).then(({ token, answer }) => {
      if (token === undefined) return sendAnswer(response, answer)
      request.verified = token
      next()
    }, next)
  }

/** Writes the answer to a request that was not admitted. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.end(body)
}
