import type { FastifyServerOptions } from 'fastify'

const none = () => {
  throw new TypeError('a route without a schema')
}

/**
 * What each fastify of ours has in common. Routes have no schemas: what is read is checked by code of its own. Without
 * compilers of ours fastify would load its own, some 10 MiB, with each start and some milliseconds with each reload.
 */
export const shell = {
  logger: false,
  // listen.ts closes the listeners, and answers what is under way.
  return503OnClosing: false,
  schemaController: { compilersFactory: { buildValidator: none, buildSerializer: none } },
} as const satisfies FastifyServerOptions
