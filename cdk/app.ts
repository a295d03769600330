/**
 * The example app on AWS, whole: `npx cdk deploy`.
 * @module
 */
import { App } from 'aws-cdk-lib'
import { FlightsStack } from './flights-stack.ts'

new FlightsStack(new App({ analyticsReporting: false }), 'Flights')
