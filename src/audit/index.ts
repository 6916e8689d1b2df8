export { auditToFile } from './file.ts'
export { auditToMemory } from './memory.ts'
export { auditToStream } from './stream.ts'
