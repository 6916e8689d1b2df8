/**
 * Dragoman for services: verifies the tokens that a gateway issued, in the service that they were issued for. Needs no
 * gateway in the process, and loads none of its packages.
 */
export { type Detail, DragomanError, type ErrorCode, errors } from '../core/errors.ts'
export type { ReplayStore } from '../core/stores.ts'
export type { Answer } from './challenge.ts'
export { type ConnectRequest, type ConnectVerifierOptions, connectVerifier, sendAnswer } from './connect.ts'
export type { Decision } from './decision.ts'
export { type FastifyVerifierOptions, fastifyVerifier } from './fastify.ts'
export type { DpopSetting, VerifierIssuer, VerifierOptions } from './options.ts'
export { type Made, requestOf, type ServiceRequest } from './request.ts'
export type { VerifiedToken } from './result.ts'
export type { RequestPart, RequestRule, RequestTable } from './table.ts'
export { type Admission, createVerifier, type TokenPresentation, type Verifier } from './verifier.ts'
