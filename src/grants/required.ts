import { DragomanError } from '../core/errors.ts'

/** A parameter of the form that must be there. @throws {@link DragomanError} `ERR_REQUEST_MISSING` */
export function required(parameters: ReadonlyMap<string, string>, parameter: string): string {
  const value = parameters.get(parameter)
  if (value === undefined) throw new DragomanError('ERR_REQUEST_MISSING', { detail: { parameter } })
  return value
}
