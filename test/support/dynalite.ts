/**
 * DynamoDB on the wire without Java, for tests.
 * @module
 */
export { startDynamoDbServer as startDynalite } from '../../src/cli/local-aws/wire-servers.ts'
