package governance

import "fmt"

// Field names a metadata field.
type Field uint8

// The metadata fields a policy can require.
const (
	FieldModuleID Field = iota
	FieldUserID
	FieldDeviceID
	FieldTraceParent
	FieldAuthToken
	fieldEnd
)

var fieldNames = [fieldEnd]string{"moduleId", "userId", "deviceId", "traceParent", "authToken"}

func (f Field) String() string {
	if f >= fieldEnd {
		return fmt.Sprintf("field %d", uint8(f))
	}
	return fieldNames[f]
}

func (f Field) of(e *Envelope) string {
	switch f {
	case FieldModuleID:
		return e.Metadata.ModuleID
	case FieldUserID:
		return e.Metadata.UserID
	case FieldDeviceID:
		return e.Metadata.DeviceID
	case FieldTraceParent:
		return e.Metadata.TraceParent
	default:
		return e.Metadata.AuthToken
	}
}
