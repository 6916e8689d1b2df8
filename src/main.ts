import { run } from './cli/run.ts'

export { run }
