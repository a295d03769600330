/**
 * Makes errand's table on a wire server, for tests.
 * @module
 */
export { makeTable as createTable } from '../../src/runtime/aws/made-resources.ts'
