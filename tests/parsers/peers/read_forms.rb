# Reads forms as Rack does.

require "rack"
require "stringio"

STDIN.binmode
STDOUT.binmode

def leaves(name, value, items)
  case value
  when Hash
    if value.key?(:tempfile)
      value[:tempfile].close!
      items << "f:#{name.b.unpack1("H*")}:#{value[:filename].to_s.b.unpack1("H*")}" unless value[:filename].to_s.empty?
    else
      value.each { |key, member| leaves("#{name}[#{key}]", member, items) }
    end
  when nil
    # What stands behind brackets that do not match is lost.
  when Array
    value.each { |member| leaves(name, member, items) }
  else
    items << "v:#{name.b.unpack1("H*")}:#{value.to_s.b.unpack1("H*")}"
  end
end

def read(content_type, body)
  environment = { "REQUEST_METHOD" => "POST", "CONTENT_TYPE" => content_type, "CONTENT_LENGTH" => body.bytesize.to_s, "rack.input" => StringIO.new(body) }
  items = []
  Rack::Request.new(environment).POST.each { |name, value| leaves(name.to_s, value, items) }
  items.join(" ")
rescue StandardError
  "-"
end

STDOUT.puts "ready"
STDOUT.flush
while (length = STDIN.gets)
  body_length = STDIN.gets.to_i
  content_type = STDIN.read(length.to_i).to_s
  STDOUT.puts read(content_type, STDIN.read(body_length).to_s)
  STDOUT.flush
end
