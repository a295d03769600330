/**
 * The bucket of large payloads.
 * @module
 */
import { Duration, type RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { LIMITS } from '../src/runtime/config/config.ts'
import { acknowledgeAccessLogs } from './acknowledgements.ts'

/** Makes the bucket: private, TLS only, encrypted; errand deletes nothing, so a lifecycle rule does. */
export function makeBucket(
  scope: Construct,
  options: {
    readonly prefix: string
    readonly removalPolicy: RemovalPolicy
    readonly encryptionKey: IKey | undefined
  },
): IBucket {
  const { prefix, removalPolicy, encryptionKey } = options
  const bucket = new Bucket(scope, 'Bucket', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    encryption: encryptionKey === undefined ? BucketEncryption.S3_MANAGED : BucketEncryption.KMS,
    ...(encryptionKey !== undefined && { encryptionKey, bucketKeyEnabled: true }),
    lifecycleRules: [{ id: 'errand', prefix, expiration: Duration.days(LIMITS.blobDays) }],
    removalPolicy,
  })
  acknowledgeAccessLogs(bucket)
  // The CDK's classes do not fit its own interfaces under exactOptionalPropertyTypes.
  return bucket as IBucket
}
