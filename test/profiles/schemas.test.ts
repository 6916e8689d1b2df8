import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/catalog.ts'
import { clientMethods } from '../../src/clients/index.ts'
import { configurationSchemaWith } from '../../src/config/schema.ts'
import { profileSchema } from '../../src/profiles/schema.ts'
import { testSchema } from '../../src/testing/schema.ts'

const schemas = {
  profile: profileSchema(builtin()),
  configuration: configurationSchemaWith(clientMethods().map(({ name }) => name)),
  test: testSchema,
}

// Not looked at when they are compiled at a start, which costs a tenth of a second.
describe('each schema of ours is one by the schema of schemas (2020-12)', () => {
  it.each(Object.entries(schemas))('%s', (_, schema) => {
    const ajv = new Ajv2020()
    expect(ajv.validateSchema(schema), JSON.stringify(ajv.errors)).toBe(true)
  })
})
