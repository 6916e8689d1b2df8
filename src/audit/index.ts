export { auditToFile, type WriteSome } from './file.ts'
export { lineOf } from './line.ts'
export { auditToMemory } from './memory.ts'
export { auditToStream } from './stream.ts'
